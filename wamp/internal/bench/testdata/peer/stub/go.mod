module github.com/gammazero/nexus/v3

go 1.26
