// Package token turns a patient into a sequence of tokens and back.
package token

// Tables is the grammar of a vocabulary compiled for the sampler: a finite-state machine over token classes, two kinds of
// veto that remember what the record has said, and for each token that stands for a number the quantile function of its
// bin. The C core works on exactly these arrays (syn_grammar in bindings/synehrgy.h); Go works on them in Machine.
//
// A token t is legal in state s when Next[s,class(t)] >= 0 and no veto holds it back:
//
//	RuleAscending   order(t) > order of the last ascending token since the last ForgetOrder
//	RuleUnique      t has not been said since the last ForgetSeen
//
// Taking t moves to Next[s,class(t)] and, if Forget[s,class(t)] says so, forgets first and then remembers t.
type Tables struct {
	Vocab   int
	States  int
	Classes int
	Start   int16 // state after StartToken
	Done    int16 // state after the end of the record; nothing is legal there

	StartToken int32 // the first token of every record

	Class    []uint16 // [Vocab] class of a token; NoClass for tokens the grammar never allows (padding, chunk headers, unknown codes when generating)
	Order    []int32  // [Vocab] what RuleAscending compares: the index of the variable, covariate or label; 0 elsewhere
	Rule     []uint8  // [Classes] RuleFree, RuleAscending or RuleUnique
	Role     []uint8  // [Classes] what a class is for, see the roles
	Next     []int16  // [States*Classes] state after a token of that class, -1 where it is illegal
	Forget   []uint8  // [States*Classes] ForgetOrder | ForgetSeen
	Distance []uint16 // [States] fewest tokens from here to Done; at the length limit only classes that lower it stay legal

	// Numbers. The quantile function of token t is linear between Knots[KnotStart[t]:KnotStart[t+1]], which stand at equally
	// spaced probabilities from 0 to 1; one knot is an atom, none means that the token stands for no number. Knots are
	// integers in units of 10^-Decimals[t], so a draw rounded to an integer stays inside its bin and its physical range.
	KnotStart []int32 // [Vocab+1]
	Knots     []int64
	Decimals  []int8 // [Vocab]

	// Chunks. A record longer than the context goes on in a chunk that begins with a header:
	//
	//	ChunkToken[state]  VisitToken0+min(visit, Visits)-1  ElapsedToken0+bin(minutes)  covariates and labels of the visit so far
	//
	// bin(minutes) is the number of ElapsedEdges that are <= minutes. A record may be cut only where ChunkToken >= 0.
	ChunkToken    []int32 // [States] -1 where no chunk may begin
	VisitToken0   int32
	Visits        int32
	ElapsedToken0 int32
	ElapsedEdges  []int64 // minutes, ascending
}

// NoClass is the class of a token that no state allows.
const NoClass = 0xFFFF

// The rules of a class.
const (
	RuleFree      uint8 = 0
	RuleAscending uint8 = 1
	RuleUnique    uint8 = 2
)

// What a transition forgets.
const (
	ForgetOrder uint8 = 1
	ForgetSeen  uint8 = 2
)

// The roles of a class, as far as the core must know them to write a chunk header.
const (
	RoleMark      uint8 = 0 // section marks
	RoleVisit     uint8 = 1 // begins a visit: time since the last discharge
	RoleCovariate uint8 = 2
	RoleLabel     uint8 = 3
	RoleCode      uint8 = 4
	RoleGap       uint8 = 5 // its number is added to the minutes since the visit began
	RoleValue     uint8 = 6
	RoleStay      uint8 = 7 // ends a visit: time from the last row to the discharge
	RoleEnd       uint8 = 8 // ends the record
)
