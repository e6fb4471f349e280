// Package otherclient has what the file on docs/benchmarks.md uses of a client, so that
// TestThirdSide can compile it.
package otherclient

import "context"

type Client struct{}

func Dial(ctx context.Context, url, realm, serializer string) (*Client, error) { return nil, nil }

func (*Client) CallInt(ctx context.Context, procedure string, arg int) (int, error) { return 0, nil }

func (*Client) Close() error { return nil }
