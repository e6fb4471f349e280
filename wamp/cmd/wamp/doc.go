// Command wamp is a WAMP client for the terminal: it calls, publishes, subscribes,
// serves, looks at what a router knows, and is a router for development itself.
//
//	go install github.com/connectanum/connectanum-go/wamp/cmd/wamp@latest
//	wamp router --demo &
//	wamp call com.example.add 2 3
//
// What was asked for goes to standard output, a JSON object on each line, and everything
// else to standard error. wamp help lists the commands, docs/tool.md has them with
// examples.
//
// # Exit codes
//
//	0    done
//	1    a fault of the program or of this machine, such as a file that cannot be read
//	2    the command line is wrong
//	3    the router or a peer answered with an error, or with nothing that was asked for
//	4    the router refused the login, or the realm
//	5    no connection to the router, or it was lost
//	124  time ran out
//	130  interrupted
//	141  nobody reads standard output any more
//
// It is a module of its own: what it needs of others is no part of the library's go.mod.
package main
