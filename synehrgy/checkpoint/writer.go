package checkpoint

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// Writer writes a safetensors file tensor by tensor, so that the model is never held in memory twice. The bytes depend on the
// tensors and the metadata alone. It is not safe for concurrent use.
type Writer struct {
	draft   *Draft
	buffer  *bufio.Writer
	header  *header
	current int   // index of the tensor being written
	left    int64 // bytes of it still to come
	scratch []byte
}

// Create begins the file path with those tensors, whose data follow in that order. Every tensor must begin at a multiple of
// its element size, so that readers may map the file: put wider element types first. Nothing appears under path before
// Close.
func Create(path string, tensors []TensorInfo, metadata map[string]string) (*Writer, error) {
	h, err := layOut(tensors, metadata)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written: %w", path, err)
	}
	head, err := h.encode()
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written: %w", path, err)
	}
	draft, err := NewDraft(path)
	if err != nil {
		return nil, err
	}
	draft.need = int64(len(head))
	if n := len(h.entries); n > 0 {
		draft.need += h.entries[n-1].end
	}
	w := &Writer{draft: draft, buffer: bufio.NewWriterSize(draft, 1<<20), header: h, current: -1}
	if _, err := w.buffer.Write(head); err != nil {
		draft.Discard()
		return nil, err
	}
	w.skip()
	return w, nil
}

// layOut gives every tensor its place.
func layOut(tensors []TensorInfo, metadata map[string]string) (*header, error) {
	h := &header{metadata: metadata}
	names := map[string]bool{metadataKey: true}
	at := int64(0)
	for _, t := range tensors {
		if names[t.Name] || !utf8.ValidString(t.Name) {
			return nil, fmt.Errorf("the tensor name %s is reserved, not UTF-8, or there twice", quote(t.Name))
		}
		names[t.Name] = true
		size, err := t.checkedBytes()
		if err != nil {
			return nil, fmt.Errorf("tensor %s has %w", quote(t.Name), err)
		}
		if at%t.Dtype.Size() != 0 {
			return nil, fmt.Errorf("tensor %s of type %s would begin at byte %d of the data; wider element types go first", quote(t.Name), t.Dtype, at)
		}
		if size > math.MaxInt64-maxHeader-8-at {
			return nil, fmt.Errorf("the tensors up to %s have more bytes than can be counted", quote(t.Name))
		}
		h.entries = append(h.entries, entry{t, at, at + size})
		at += size
	}
	for key, text := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(text) {
			return nil, fmt.Errorf("metadata that are not UTF-8")
		}
	}
	return h, nil
}

// skip goes on to the next tensor that has data.
func (w *Writer) skip() {
	for w.left == 0 && w.current < len(w.header.entries) {
		w.current++
		if w.current < len(w.header.entries) {
			e := w.header.entries[w.current]
			w.left = e.end - e.begin
		}
	}
}

// Bytes writes raw little-endian data of the tensor of that name: all of it, or the next part of it. Tensors come in the order
// given to Create; an error leaves the file to be discarded.
func (w *Writer) Bytes(name string, data []byte) error {
	if err := w.expect(name, int64(len(data)), ""); err != nil {
		return err
	}
	if _, err := w.buffer.Write(data); err != nil {
		return err
	}
	w.left -= int64(len(data))
	w.skip()
	return nil
}

// F32 writes values of an F32 tensor, all or the next part, as Bytes does.
func (w *Writer) F32(name string, values []float32) error {
	if err := w.expect(name, 4*int64(len(values)), F32); err != nil {
		return err
	}
	const chunk = 1 << 14
	for len(values) > 0 {
		part := values[:min(chunk, len(values))]
		values = values[len(part):]
		w.scratch = w.scratch[:0]
		for _, x := range part {
			w.scratch = binary.LittleEndian.AppendUint32(w.scratch, math.Float32bits(x))
		}
		if err := w.Bytes(name, w.scratch); err != nil {
			return err
		}
	}
	return nil
}

// expect says whether size bytes of the tensor of that name may come now; dtype is what they are, or empty.
func (w *Writer) expect(name string, size int64, dtype Dtype) error {
	if size == 0 {
		return nil // no data: neither a tensor without elements nor an empty part is out of order
	}
	if w.current >= len(w.header.entries) {
		return fmt.Errorf("%s: %d bytes of tensor %s after the last tensor", w.draft.path, size, quote(name))
	}
	switch e := w.header.entries[w.current]; {
	case e.Name != name:
		return fmt.Errorf("%s: tensor %s written where %s is due", w.draft.path, quote(name), quote(e.Name))
	case dtype != "" && dtype != e.Dtype:
		return fmt.Errorf("%s: %s numbers for tensor %s of type %s", w.draft.path, dtype, quote(name), e.Dtype)
	case size > w.left:
		return fmt.Errorf("%s: %d bytes for tensor %s, which has room for %d", w.draft.path, size, quote(name), w.left)
	}
	return nil
}

// Close ends the file and gives it its name, when every tensor is complete; otherwise it discards the file and says which
// tensor is not.
func (w *Writer) Close() error {
	defer w.draft.Discard()
	if w.current < len(w.header.entries) {
		return fmt.Errorf("%s: tensor %s lacks %d bytes", w.draft.path, quote(w.header.entries[w.current].Name), w.left)
	}
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	return w.draft.Commit()
}

// Discard drops the file. It does nothing after Close.
func (w *Writer) Discard() { w.draft.Discard() }
