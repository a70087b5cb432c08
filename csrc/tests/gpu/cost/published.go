package cost

// The published shape: GPT-2 of 4 layers, width 384, 4 heads of 96, feed-forward 1536, vocabulary 5115, context 1024; 9,456,000
// parameters, 9,042,048 of them in matrices. Training takes 8 records of 1024 tokens, decoding 256 records at position 512. Every
// token of the vocabulary is taken to occur in a batch, and to be legal in a draw. Ops that this network does without (rope,
// swiglu, dropout alone) are given the same sizes; of Muon it is one matrix. Evaluation looks among 5,000 patients for the ten nearest of as many others,
// points of 2,048 numbers.
var published = []struct{ pass, call string }{
	{"training", "norm_forward rows=8192 width=384 branch=1 statistics=1"},
	{"training", "rope rows=8192 stride=1152 heads=8 head_dim=96 positions=1024"},
	{"training", "attention_forward rows=8192 segments=8 pairs=4198400 heads=4 kv_heads=4 head_dim=96"},
	{"training", "dropout rows=8192 width=384"},
	{"training", "gelu_forward count=12582912"},
	{"training", "swiglu_forward rows=8192 ffn=1536"},
	{"training", "xent rows=8192 vocab=5115"},
	{"training", "bias_backward rows=8192 columns=1536"},
	{"training", "gelu_backward count=12582912"},
	{"training", "swiglu_backward rows=8192 ffn=1536"},
	{"training", "attention_backward rows=8192 segments=8 pairs=4198400 heads=4 kv_heads=4 head_dim=96"},
	{"training", "norm_backward rows=8192 width=384"},
	{"training", "embedding_backward rows=8192 width=384 ids=5115 tokens=5115"},
	{"training", "grad_norm count=9456000"},
	{"training", "adamw count=9456000"},
	{"training", "muon rows=384 columns=1536"},
	{"training", "round count=9042048"},
	{"decoding", "norm_forward rows=256 width=384 branch=1 statistics=0"},
	{"decoding", "rope rows=256 stride=1152 heads=8 head_dim=96 positions=1"},
	{"decoding", "attention_decode rows=256 heads=4 kv_heads=4 head_dim=96 position=512 keys=513"},
	{"decoding", "gelu_forward count=393216"},
	{"decoding", "swiglu_forward rows=256 ffn=1536"},
	{"decoding", "sample rows=256 vocab=5115 legal=1309440 draw=80"},
	{"evaluation", "nearest queries=5000 references=5000 width=2048 neighbours=10"},
}

// Call is a call of an op at the published shape: "OP name=value ...", and the pass that makes it: training, decoding or
// evaluation.
type Call struct{ Pass, Text string }

// Published returns the calls of the published shape.
func Published() (calls []Call) {
	for _, p := range published {
		calls = append(calls, Call{p.pass, p.call})
	}
	return calls
}
