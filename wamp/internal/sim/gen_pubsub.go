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
	if g.r.IntN(4) == 0 { // one that must not be dropped
		a.How, a.Policy = Retained, g.one(Fail, Block)
	}
	return g.begin(a), true
}

func makePublish(g *gen) (Action, bool) {
	a := Action{Kind: Publish, Name: g.r.IntN(topics), How: g.one("", Ack, Ack, Idempotent, Retain)}
	if g.r.IntN(2) == 0 {
		a.To = g.one("all", "self", "others", "nobody")
	}
	return g.begin(a), true
}

func makeEvent(g *gen) (Action, bool) {
	a := Action{Kind: Event, Name: g.r.IntN(topics)}
	if g.r.IntN(6) == 0 {
		a.How = Retain
	}
	return g.begin(a), true
}
