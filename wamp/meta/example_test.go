package meta_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func joined(ctx context.Context, router *wamptest.Router) *wamp.Session {
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		panic(err)
	}
	return session
}

// A program looks who is in its realm, and hears of everybody who comes from then on.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)

	api := meta.Of(session)
	n, err := api.CountSessions(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sessions:", n)

	followCtx, enough := context.WithCancel(ctx)
	defer enough()
	_, changes, err := api.FollowSessions(followCtx)
	if err != nil {
		fmt.Println(err)
		return
	}
	guest := joined(ctx, router)
	defer guest.Close(ctx)
	for change := range changes {
		switch {
		case change.Err != nil: // the last one
			fmt.Println(errors.Is(change.Err, context.Canceled))
		case !change.Gone:
			info, err := api.GetSession(ctx, change.Value.Session)
			fmt.Println("new:", info.Session == guest.ID(), info.AuthMethod, err)
			enough()
		}
	}
	// Output:
	// sessions: 1
	// new: true anonymous <nil>
	// true
}

// Who is there, and who comes and goes from then on.
func ExampleAPI_FollowSessions() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)

	there, changes, err := meta.Of(session).FollowSessions(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(there), "there")
	guest := joined(ctx, router)
	change := <-changes
	fmt.Println("came:", change.Value.Session == guest.ID(), change.Value.AuthRole)
	if err := guest.Close(ctx); err != nil {
		fmt.Println(err)
		return
	}
	change = <-changes
	fmt.Println("went:", change.Gone)
	// Output:
	// 1 there
	// came: true anonymous
	// went: true
}

// served registers a procedure that only waits to be looked at.
func served(ctx context.Context, session *wamp.Session, procedure string, options ...wamp.RegisterOption) wamp.ID {
	service, err := session.Handle(ctx, procedure, func(context.Context, *wamp.Invocation) error { return nil }, options...)
	if err != nil {
		panic(err)
	}
	return service.ID()
}

// Which procedures are registered. ListSubscriptions, GetSubscription and ListSubscribers
// do the same for topics, and ListSessions lists who is there.
func ExampleAPI_ListRegistrations() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	served(ctx, session, "com.example.add")
	served(ctx, session, "com.example.store", wamp.Match(wamp.Prefix))

	api := meta.Of(session)
	ids, err := api.ListRegistrations(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range ids.All() {
		info, err := api.GetRegistration(ctx, id)
		if err != nil {
			continue // it has gone since
		}
		callees, err := api.CountCallees(ctx, id)
		fmt.Println(info.URI, info.Match, info.Invoke, callees, err)
	}
	// Output:
	// com.example.add exact single 1 <nil>
	// com.example.store prefix single 1 <nil>
}

// Which registration a call would go to, and who serves it. LookupRegistration asks for
// one registration by its own URI and policy, as LookupSubscription does for topics.
func ExampleAPI_MatchRegistration() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	served(ctx, session, "com.example.store", wamp.Match(wamp.Prefix))

	api := meta.Of(session)
	id, err := api.MatchRegistration(ctx, "com.example.store.put")
	if err != nil {
		fmt.Println(err)
		return
	}
	callees, err := api.ListCallees(ctx, id)
	fmt.Println(len(callees), callees[0] == session.ID(), err)

	id, err = api.MatchRegistration(ctx, "com.example.sell") // nobody
	fmt.Println(id, err)
	// Output:
	// 1 true <nil>
	// 0 <nil>
}

// How many would get an event of a topic.
func ExampleAPI_CountSubscribers() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, guest := joined(ctx, router), joined(ctx, router)
	defer session.Close(ctx)
	for _, s := range []*wamp.Session{session, guest} {
		if _, err := s.Subscribe(ctx, "com.example.news"); err != nil {
			fmt.Println(err)
			return
		}
	}

	api := meta.Of(session)
	ids, err := api.MatchSubscriptions(ctx, "com.example.news")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range ids {
		fmt.Println(api.CountSubscribers(ctx, id))
	}
	// Output: 2 <nil>
}

// A session is sent away, with a reason and a text that it can show. KillByAuthID and
// KillByAuthRole send all away that are logged in so, and KillAll everybody else.
func ExampleAPI_KillSession() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, guest := joined(ctx, router), joined(ctx, router)
	defer session.Close(ctx)

	err := meta.Of(session).KillSession(ctx, guest.ID(),
		meta.KillReason("com.example.maintenance"), meta.KillMessage("come back at noon"))
	if err != nil {
		fmt.Println(err)
		return
	}
	<-guest.Done()
	var goodbye *wamp.GoodbyeError
	if errors.As(guest.Err(), &goodbye) {
		fmt.Println(goodbye.Reason, goodbye.Message)
	}
	// Output: com.example.maintenance come back at noon
}

// The sessions that leave; OnJoin tells of those that come. What happens while there is no
// connection is missed, which it is not with FollowSessions.
func ExampleAPI_OnLeave() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, guest := joined(ctx, router), joined(ctx, router)
	defer session.Close(ctx)

	left, err := meta.Of(session).OnLeave(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	id := guest.ID()
	if err := guest.Close(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-left).Session == id)
	// Output: true
}

// The topics that get their first subscriber. OnSubscriptionDelete tells of those that lose
// the last, OnSubscribe and OnUnsubscribe of each subscriber; OnRegistrationCreate,
// OnRegistrationDelete, OnRegister and OnUnregister do so for procedures.
// FollowSubscriptions and FollowRegistrations begin with what there is.
func ExampleAPI_OnSubscriptionCreate() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, guest := joined(ctx, router), joined(ctx, router)
	defer session.Close(ctx)
	defer guest.Close(ctx)

	created, err := meta.Of(session).OnSubscriptionCreate(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := guest.Subscribe(ctx, "com.example.news"); err != nil {
		fmt.Println(err)
		return
	}
	info := <-created
	fmt.Println(info.URI, info.By == guest.ID())
	// Output: com.example.news true
}
