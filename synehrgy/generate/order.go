package generate

import (
	"fmt"

	"github.com/synehrgy/synehrgy-go/synehrgy/ehr"
)

// order brings patients that finish in any order into that of their indices. It holds at most a window of them: patient i
// waits in place i modulo the window until all before it have passed.
type order struct {
	next    int64 // index of the patient that passes next
	waiting []slot
}

type slot struct {
	here    bool
	patient *ehr.Patient // nil: nothing to emit for this index
}

func newOrder(first, window int64) *order { return &order{first, make([]slot, window)} }

// put takes the patient of an index, which lies within the window, and passes on all that are now in order.
func (o *order) put(index int64, p *ehr.Patient, emit func(*ehr.Patient) error) error {
	n := int64(len(o.waiting))
	if index < o.next || index >= o.next+n || o.waiting[index%n].here {
		return fmt.Errorf("patient %d came twice or was not asked for", index)
	}
	o.waiting[index%n] = slot{true, p}
	for at := &o.waiting[o.next%n]; at.here; at = &o.waiting[o.next%n] {
		p := at.patient
		*at = slot{}
		o.next++
		if p == nil {
			continue
		}
		if err := emit(p); err != nil {
			return err
		}
	}
	return nil
}
