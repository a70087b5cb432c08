package bindings

// Lengths that C takes on trust.

// checkGrammar says which array of a grammar has not the length that its scalars promise.
func checkGrammar(p *GrammarParams) error {
	if p.Vocab < 0 || p.States < 0 || p.Classes < 0 {
		return invalid("syn_grammar_create", "%d tokens, %d states, %d classes: a negative size", p.Vocab, p.States, p.Classes)
	}
	vocab, states, classes := int(p.Vocab), int(p.States), int(p.Classes)
	knots := 0
	if len(p.KnotStart) == vocab+1 {
		knots = int(p.KnotStart[vocab])
	}
	for _, a := range []struct {
		name      string
		have, due int
	}{
		{"token_class", len(p.TokenClass), vocab}, {"token_order", len(p.TokenOrder), vocab},
		{"class_rule", len(p.ClassRule), classes}, {"class_role", len(p.ClassRole), classes},
		{"next", len(p.Next), states * classes}, {"forget", len(p.Forget), states * classes},
		{"distance", len(p.Distance), states}, {"chunk_token", len(p.ChunkToken), states},
		{"knot_start", len(p.KnotStart), vocab + 1}, {"decimals", len(p.Decimals), vocab},
		{"knots", len(p.Knots), knots},
	} {
		if a.have != a.due {
			return invalid("syn_grammar_create", "%s has %d elements, expected %d", a.name, a.have, a.due)
		}
	}
	return nil
}

// checkBatch says whether the arrays of a packed batch fit one another: as many of each as tokens, offsets from 0 to the end.
func checkBatch(op string, tokens, targets int, offsets []int32) error {
	if tokens != targets {
		return invalid(op, "%d tokens with %d targets", tokens, targets)
	}
	if len(offsets) < 2 || offsets[0] != 0 || int(offsets[len(offsets)-1]) != tokens {
		return invalid(op, "offsets that do not lead from 0 to the %d tokens", tokens)
	}
	return nil
}

// checkMatrix says whether a slice holds rows x columns elements.
func checkMatrix(op, name string, have int, rows, columns int64) error {
	if rows < 0 || columns < 0 || (columns > 0 && rows > int64(^uint64(0)>>1)/columns) || int64(have) != rows*columns {
		return invalid(op, "%s has %d elements, expected %d x %d", name, have, rows, columns)
	}
	return nil
}
