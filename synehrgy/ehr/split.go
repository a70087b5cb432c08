package ehr

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Shares is how a cohort is divided; the rest is held out.
type Shares struct{ Train, Tuning float64 }

// DefaultShares leaves a fifth of the patients for judging.
var DefaultShares = Shares{Train: 0.7, Tuning: 0.1}

// AssignSplits divides a cohort by patient. The order is that of SHA-256(seed, id), so it depends neither on the order of
// the patients nor on anything clinical. With three patients or more every part gets at least one.
func (c *Cohort) AssignSplits(seed uint64, shares Shares) {
	type ranked struct {
		hash  [sha256.Size]byte
		index int
	}
	order := make([]ranked, len(c.Patients))
	for i := range c.Patients {
		h := binary.LittleEndian.AppendUint64(nil, seed)
		order[i] = ranked{sha256.Sum256(append(h, c.Patients[i].ID...)), i}
	}
	slices.SortFunc(order, func(a, b ranked) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	n := len(order)
	train, tuning := int(shares.Train*float64(n)+0.5), int(shares.Tuning*float64(n)+0.5)
	if n >= 3 {
		tuning = max(tuning, 1)
		train = min(max(train, 1), n-tuning-1)
	}
	for rank, r := range order {
		s := HeldOut
		switch {
		case rank < train:
			s = Train
		case rank < train+tuning:
			s = Tuning
		}
		c.Patients[r.index].Split = s
	}
}
