package token

// This file walks a grammar: which token may come next, and where it leads.

// Machine follows one record through the tables of a grammar. It may be reused (Reset), by one goroutine at a time.
type Machine struct {
	tables *Tables
	state  int16
	order  int32
	seen   []uint32 // [Vocab] the epoch in which a token was last said
	epoch  uint32
}

// NewMachine returns a machine after the start token.
func (t *Tables) NewMachine() *Machine {
	m := &Machine{tables: t, seen: make([]uint32, t.Vocab)}
	m.Reset()
	return m
}

// Reset goes back to the place after the start token.
func (m *Machine) Reset() {
	m.state, m.order = m.tables.Start, -1
	m.forgetSeen()
}

// State is the state of the tables the record is in.
func (m *Machine) State() int16 { return m.state }

// Done tells that the record is complete.
func (m *Machine) Done() bool { return m.state == m.tables.Done }

// Legal tells whether a token may come next.
func (m *Machine) Legal(token int32) bool {
	t := m.tables
	if token < 0 || int(token) >= t.Vocab || t.Class[token] == NoClass {
		return false
	}
	c := t.Class[token]
	if t.Next[int(m.state)*t.Classes+int(c)] < 0 {
		return false
	}
	switch t.Rule[c] {
	case RuleAscending:
		return t.Order[token] > m.order
	case RuleUnique:
		return m.seen[token] != m.epoch
	}
	return true
}

// Step takes a token; false, and nothing done, when it is not legal.
func (m *Machine) Step(token int32) bool {
	if !m.Legal(token) {
		return false
	}
	t := m.tables
	c := t.Class[token]
	at := int(m.state)*t.Classes + int(c)
	if t.Forget[at]&ForgetOrder != 0 {
		m.order = -1
	}
	if t.Forget[at]&ForgetSeen != 0 {
		m.forgetSeen()
	}
	switch t.Rule[c] {
	case RuleAscending:
		m.order = t.Order[token]
	case RuleUnique:
		m.seen[token] = m.epoch
	}
	m.state = t.Next[at]
	return true
}

// Closes tells whether a token is legal and brings the record nearer to its end.
func (m *Machine) Closes(token int32) bool {
	t := m.tables
	return m.Legal(token) && t.Distance[t.Next[int(m.state)*t.Classes+int(t.Class[token])]] < t.Distance[m.state]
}

func (m *Machine) forgetSeen() {
	m.epoch++
	if m.epoch == 0 { // after 2^32 visits the numbers begin anew
		clear(m.seen)
		m.epoch = 1
	}
}
