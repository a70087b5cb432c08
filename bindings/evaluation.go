//go:build cgo

package bindings

/*
#cgo noescape syn_nearest
#cgo nocallback syn_nearest
#cgo noescape syn_boost_params_init
#cgo nocallback syn_boost_params_init
#cgo noescape syn_boost_fit_predict
#cgo nocallback syn_boost_fit_predict
#cgo noescape syn_bench
#cgo nocallback syn_bench

#include "synehrgy.h"
*/
import "C"

// Nearest finds for each row of a [n,d] its k nearest rows of b [m,d], into distance and index [n,k].
func Nearest(dev Device, a []float32, n int64, b []float32, m int64, d, k int32, excludeSelf bool, distance []float32, index []int32) error {
	const op = "syn_nearest"
	for _, err := range []error{
		checkMatrix(op, "a", len(a), n, int64(d)), checkMatrix(op, "b", len(b), m, int64(d)),
		checkMatrix(op, "distance", len(distance), n, int64(k)), checkMatrix(op, "index", len(index), n, int64(k)),
	} {
		if err != nil {
			return err
		}
	}
	e := newError()
	rc := C.syn_nearest(dev.p, (*C.float)(data(a)), C.int64_t(n), (*C.float)(data(b)), C.int64_t(m), C.int32_t(d), C.int32_t(k),
		flag(excludeSelf), (*C.float)(data(distance)), (*C.int32_t)(data(index)), &e)
	if rc != C.SYN_OK {
		return failure(op, rc, e)
	}
	return nil
}

// BoostParamsInit is the defaults of the core.
func BoostParamsInit() BoostParams {
	var p C.syn_boost_params
	C.syn_boost_params_init(&p)
	return BoostParams{
		Rounds: int32(p.rounds), Depth: int32(p.depth), Threads: int32(p.threads), LearningRate: float64(p.learning_rate),
		MinChildWeight: float64(p.min_child_weight), Subsample: float64(p.subsample), Colsample: float64(p.colsample),
		Seed: uint64(p.seed),
	}
}

// BoostFitPredict fits boosted trees to x [n,p] and y [n], and predicts probabilities for t [m,p].
func BoostFitPredict(params BoostParams, x, y []float32, n, p int64, t []float32, m int64, probability []float32) error {
	const op = "syn_boost_fit_predict"
	if err := Compatible(); err != nil {
		return err
	}
	for _, err := range []error{
		checkMatrix(op, "x", len(x), n, p), checkMatrix(op, "y", len(y), n, 1), checkMatrix(op, "t", len(t), m, p),
		checkMatrix(op, "probability", len(probability), m, 1),
	} {
		if err != nil {
			return err
		}
	}
	var b C.syn_boost_params
	C.syn_boost_params_init(&b)
	b.rounds, b.depth, b.threads, b.seed = C.int32_t(params.Rounds), C.int32_t(params.Depth), C.int32_t(params.Threads), C.uint64_t(params.Seed)
	b.learning_rate, b.min_child_weight = C.double(params.LearningRate), C.double(params.MinChildWeight)
	b.subsample, b.colsample = C.double(params.Subsample), C.double(params.Colsample)
	e := newError()
	rc := C.syn_boost_fit_predict(&b, (*C.float)(data(x)), (*C.float)(data(y)), C.int64_t(n), C.int64_t(p), (*C.float)(data(t)),
		C.int64_t(m), (*C.float)(data(probability)), &e)
	if rc != C.SYN_OK {
		return failure(op, rc, e)
	}
	return nil
}

// Bench is the best time of repeats for one operation and the floating-point operations it stands for.
func Bench(d Device, op int32, m, n, k int64, headDim, repeats int32) (seconds, flop float64, err error) {
	e := newError()
	var s, f C.double
	rc := C.syn_bench(d.p, C.int32_t(op), C.int64_t(m), C.int64_t(n), C.int64_t(k), C.int32_t(headDim), C.int32_t(repeats), &s, &f, &e)
	if rc != C.SYN_OK {
		return 0, 0, failure("syn_bench", rc, e)
	}
	return float64(s), float64(f), nil
}
