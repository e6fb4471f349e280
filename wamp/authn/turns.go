package authn

import "context"

// turns bounds how many passwords one authenticator hashes at once. It is a
// channel and no mutex, so that who waits can give up.
type turns chan struct{}

func (t turns) take(ctx context.Context, method string) error {
	select {
	case t <- struct{}{}:
		if ctx.Err() == nil {
			return nil
		}
		t.give()
	case <-ctx.Done():
	}
	return &CredentialError{Method: method, Problem: "the login was given up", Err: context.Cause(ctx)}
}

func (t turns) give() { <-t }
