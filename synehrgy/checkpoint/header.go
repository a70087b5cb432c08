package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// This file reads and writes the head of a safetensors file: 8 bytes N (unsigned, little-endian), then N bytes of JSON
//
//	{"__metadata__": {text: text}, name: {"dtype": D, "shape": [..], "data_offsets": [begin, end]}, ...}
//
// then the data; offsets count from the first byte of data. encoding/json reads it token by token, because decoding into a
// map would let the last of two equal keys win in silence.

const (
	maxHeader   = 100 << 20
	metadataKey = "__metadata__"
)

// entry is a tensor and where its data lie, [begin, end) from the first byte of data.
type entry struct {
	TensorInfo
	begin, end int64
}

// header is the parsed head of a file; entries are in the order of their data.
type header struct {
	entries  []entry
	metadata map[string]string
	data     int64 // offset of the first byte of data in the file
}

// complaint is what is wrong with a header: what was found and what should be there.
type complaint struct{ found, expected string }

func (c *complaint) Error() string { return "found " + c.found + ", expected " + c.expected }

// parseHeader reads the head of a file of that content. Its errors are *complaint.
func parseHeader(file []byte) (*header, error) {
	if len(file) < 8 {
		return nil, &complaint{fmt.Sprintf("%d bytes", len(file)), "a safetensors file, which begins with an 8-byte length"}
	}
	n := binary.LittleEndian.Uint64(file)
	if n > maxHeader || int64(n) > int64(len(file))-8 {
		return nil, &complaint{
			fmt.Sprintf("a header length of %d bytes in a file of %d", n, len(file)),
			fmt.Sprintf("a header of at most %d bytes that ends within the file", maxHeader)}
	}
	text := file[8 : 8+n]
	if !utf8.Valid(text) || len(text) == 0 || text[0] != '{' {
		return nil, &complaint{"a header that is not JSON text", "a JSON object from the 9th byte on"}
	}
	h := &header{data: 8 + int64(n)}
	if err := h.parseJSON(text); err != nil {
		var c *complaint
		if errors.As(err, &c) {
			return nil, c
		}
		return nil, &complaint{fmt.Sprintf("a header that is not the JSON of a safetensors file (%v)", err), "one JSON object"}
	}
	if err := h.checkCover(int64(len(file)) - h.data); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *header) parseJSON(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	seenMetadata := false
	names := map[string]bool{}
	err := object(dec, func(key string) error {
		if key == metadataKey && !seenMetadata {
			seenMetadata = true
			return h.parseMetadata(dec)
		}
		if names[key] || key == metadataKey {
			return &complaint{fmt.Sprintf("%s twice in the header", quote(key)), "every name once"}
		}
		names[key] = true
		e, err := parseEntry(dec, key)
		h.entries = append(h.entries, e)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return &complaint{"text after the JSON object of the header", "nothing but blanks"}
	}
	return nil
}

func (h *header) parseMetadata(dec *json.Decoder) error {
	h.metadata = map[string]string{}
	return object(dec, func(key string) error {
		if _, twice := h.metadata[key]; twice {
			return &complaint{fmt.Sprintf("the metadata %s twice", quote(key)), "every key once"}
		}
		token, err := dec.Token()
		if err != nil {
			return err
		}
		text, ok := token.(string)
		if !ok {
			return &complaint{fmt.Sprintf("the metadata %s that is not text", quote(key)), "text for every key"}
		}
		h.metadata[key] = text
		return nil
	})
}

func parseEntry(dec *json.Decoder, name string) (entry, error) {
	e := entry{TensorInfo: TensorInfo{Name: name}}
	var offsets []int64
	seen := map[string]bool{}
	err := object(dec, func(key string) (err error) {
		if seen[key] {
			return &complaint{fmt.Sprintf("%s twice in tensor %s", quote(key), quote(name)), "every key once"}
		}
		seen[key] = true
		switch key {
		case "dtype":
			token, err := dec.Token()
			text, ok := token.(string)
			if err == nil && !ok {
				return &complaint{fmt.Sprintf("a dtype of tensor %s that is not text", quote(name)), "an element type"}
			}
			e.Dtype = Dtype(text)
			return err
		case "shape":
			e.Shape, err = integers(dec, name, key)
		case "data_offsets":
			offsets, err = integers(dec, name, key)
		default:
			err = &complaint{fmt.Sprintf("%s in tensor %s", quote(key), quote(name)), "dtype, shape and data_offsets alone"}
		}
		return err
	})
	if err != nil {
		return e, err
	}
	if len(seen) != 3 || len(offsets) != 2 {
		return e, &complaint{fmt.Sprintf("tensor %s without its dtype, shape or two data_offsets", quote(name)), "all three"}
	}
	e.begin, e.end = offsets[0], offsets[1]
	return e, nil
}

// checkCover puts the tensors in the order of their data and makes sure that they are what their shapes say and lie end to
// end over all of the size bytes of data.
func (h *header) checkCover(size int64) error {
	slices.SortStableFunc(h.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	at := int64(0)
	for i := range h.entries {
		e := &h.entries[i]
		want, err := e.checkedBytes()
		switch {
		case err != nil:
			return &complaint{fmt.Sprintf("tensor %s with %v", quote(e.Name), err), "a known element type and a shape of bounded size"}
		case e.begin != at:
			return &complaint{fmt.Sprintf("tensor %s beginning at byte %d of the data", quote(e.Name), e.begin),
				fmt.Sprintf("byte %d, where the one before it ends", at)}
		case e.end > size:
			return &complaint{fmt.Sprintf("%d bytes of data where tensor %s ends at byte %d", size, quote(e.Name), e.end),
				"a file that was not cut short"}
		case e.end < e.begin || e.end-e.begin != want:
			return &complaint{fmt.Sprintf("tensor %s of %d bytes", quote(e.Name), e.end-e.begin),
				fmt.Sprintf("%d bytes, by its shape and element type", want)}
		}
		at = e.end
	}
	if at != size {
		return &complaint{fmt.Sprintf("%d bytes after the last tensor", size-at), "the end of the file"}
	}
	return nil
}

// object reads a JSON object, calling each before the value of every key; each must consume exactly that value.
func object(dec *json.Decoder, each func(key string) error) error {
	if err := delimiter(dec, '{'); err != nil {
		return err
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key, ok := token.(string)
		if !ok {
			return fmt.Errorf("a key that is not text")
		}
		if err := each(key); err != nil {
			return err
		}
	}
	return delimiter(dec, '}')
}

// integers reads a JSON array of whole numbers that are not negative.
func integers(dec *json.Decoder, name, key string) ([]int64, error) {
	if err := delimiter(dec, '['); err != nil {
		return nil, err
	}
	out := []int64{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		number, _ := token.(json.Number)
		x, err := strconv.ParseUint(string(number), 10, 63)
		if err != nil {
			return nil, &complaint{fmt.Sprintf("the %s of tensor %s with an element that is no whole number of 63 bits", key, quote(name)),
				"whole numbers that are not negative"}
		}
		out = append(out, int64(x))
	}
	return out, delimiter(dec, ']')
}

func delimiter(dec *json.Decoder, want json.Delim) error {
	token, err := dec.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("%q is missing", want.String())
	}
	return nil
}

// encode writes the head of a file as bytes: keys in a fixed order, blanks at the end so that the data begin at a multiple of
// eight.
func (h *header) encode() ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 8))
	b.WriteByte('{')
	if len(h.metadata) > 0 {
		appendJSON(b, metadataKey)
		b.WriteByte(':')
		appendJSON(b, h.metadata) // encoding/json sorts the keys of a map
	}
	for _, e := range h.entries {
		if b.Len() > 9 {
			b.WriteByte(',')
		}
		appendJSON(b, e.Name)
		b.WriteByte(':')
		appendJSON(b, struct {
			Dtype   Dtype    `json:"dtype"`
			Shape   []int64  `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{e.Dtype, append([]int64{}, e.Shape...), [2]int64{e.begin, e.end}})
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	out := b.Bytes()
	if len(out)-8 > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes, more than the %d that readers accept", len(out)-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(out, uint64(len(out)-8))
	return out, nil
}

// appendJSON appends text, text-to-text maps and plain structs, none of which can fail to encode.
func appendJSON(b *bytes.Buffer, v any) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	b.Truncate(b.Len() - 1) // the encoder ends with a line feed
}
