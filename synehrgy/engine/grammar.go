package engine

import (
	"github.com/synehrgy/synehrgy-go/bindings"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// Grammar is the compiled grammar of a vocabulary, as the sampler works with it.
type Grammar struct {
	handle[bindings.Grammar]
}

// NewGrammar copies tables into the core, which checks them as if they came from a stranger: tables that could lead nowhere
// or out of bounds are an ErrFormat.
func NewGrammar(t *token.Tables) (*Grammar, error) {
	raw, err := bindings.GrammarCreate(&bindings.GrammarParams{
		Vocab: clamp32(t.Vocab), States: clamp32(t.States), Classes: clamp32(t.Classes), Start: int32(t.Start), Done: int32(t.Done),
		StartToken: t.StartToken, VisitToken0: t.VisitToken0, Visits: t.Visits, ElapsedToken0: t.ElapsedToken0,
		TokenClass: t.Class, TokenOrder: t.Order, ClassRule: t.Rule, ClassRole: t.Role, Next: t.Next, Forget: t.Forget,
		Distance: t.Distance, ChunkToken: t.ChunkToken, ElapsedEdges: t.ElapsedEdges, KnotStart: t.KnotStart, Knots: t.Knots,
		Decimals: t.Decimals,
	})
	if err != nil {
		return nil, err
	}
	g := &Grammar{}
	own(g, &g.handle, raw, bindings.GrammarDestroy)
	return g, nil
}
