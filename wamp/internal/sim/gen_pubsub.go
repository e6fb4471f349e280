package sim

// How the operations of PubSub are made.

func (g *gen) one(of ...string) string { return of[g.r.IntN(len(of))] }

func makeSubscribe(g *gen) (Action, bool) {
	a := Action{Kind: Subscribe, Name: g.r.IntN(topics), Policy: g.one("", "", "", Newest, Fail, Fail, Block)}
	switch l := g.live[Subscribe]; {
	case g.r.IntN(3) == 0:
		a.Name = g.r.IntN(patterns)
	case len(l) > 0 && g.r.IntN(3) == 0: // one more of a topic
		a.Name = g.name[l[g.r.IntN(len(l))]]
	}
	if g.shared && g.r.IntN(3) == 0 { // those that get one id
		a.Name = []int{0, 9}[g.r.IntN(2)]
	}
	if g.r.IntN(4) == 0 { // one that must not be dropped
		a.How, a.Policy = Retained, g.one(Fail, Block)
	}
	if g.r.IntN(60) == 0 {
		a.Name = DeadlyTopic
	}
	if g.r.IntN(6) == 0 {
		a = Action{Kind: Subscribe, Name: logTopic + g.r.IntN(logNames), How: History, N: max(0, g.r.IntN(10)-5)}
	}
	return g.begin(a), true
}

func makeNumbers(g *gen) (Action, bool) {
	return g.begin(Action{Kind: Numbers, N: 1 + g.r.IntN(60), After: g.r.IntN(400)}), true
}

func makeStream(g *gen) (Action, bool) {
	return g.begin(Action{Kind: Stream, Name: StreamTopic, How: g.one("", GoOn, Idempotent), N: 1 + g.r.IntN(40), Steps: g.r.IntN(9),
		After: g.r.IntN(40)}), true
}

func makePublish(g *gen) (Action, bool) {
	a := Action{Kind: Publish, Name: g.r.IntN(topics), How: g.one("", Ack, Ack, Idempotent, Retain)}
	if g.r.IntN(2) == 0 {
		a.To = g.one("all", "self", "others", "nobody")
	}
	if g.r.IntN(60) == 0 {
		a.End = EndKills
	}
	if g.r.IntN(8) == 0 {
		if of, ok := g.about(Unsubscribe, Subscribe); ok {
			a.Of = of.Of
		}
	}
	return g.begin(a), true
}

func makeEvent(g *gen) (Action, bool) {
	a := Action{Kind: Event, Name: g.r.IntN(topics)}
	switch g.r.IntN(6) {
	case 0:
		a.How = Retain
	case 1, 2:
		a.Name = logTopic + g.r.IntN(logTopics)
	}
	return g.begin(a), true
}
