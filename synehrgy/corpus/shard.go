package corpus

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/synehrgy/synehrgy-go/synehrgy/fault"
	"github.com/synehrgy/synehrgy-go/synehrgy/token"
)

// This file holds the format of a shard: little-endian 32-bit integers and nothing else,
//
//	tokens   [tokens]     the chunks, one after another
//	offsets  [chunks+1]   where each chunk begins in tokens, and where the last one ends
//	prefixes [chunks]     see token.Chunk
//	patients [chunks]     index of the patient in the cohort, ascending
//	footer   [4]          magic, version, tokens, chunks
//
// so that a shard is written in one pass and read in one piece. Its SHA-256 stands in the index.

const (
	shardMagic   = 0x53594e53 // "SNYS" as bytes
	shardVersion = 1
	footerWords  = 4
	maxShard     = math.MaxInt32 / 4
)

// shardWriter writes one shard.
type shardWriter struct {
	file     *os.File
	buffer   *bufio.Writer
	sum      hash.Hash
	index    ShardIndex
	offsets  []int32
	prefixes []int32
	patients []int32
}

func newShardWriter(dir, name string) (*shardWriter, error) {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the shard %s cannot be written: %w", name, err)
	}
	sum := sha256.New()
	buffer := bufio.NewWriterSize(io.MultiWriter(file, sum), 1<<18)
	return &shardWriter{file: file, buffer: buffer, sum: sum, index: ShardIndex{File: name}, offsets: []int32{0}}, nil
}

// add appends a chunk.
func (w *shardWriter) add(c token.Chunk, patient int32) error {
	w.index.Chunks++
	w.index.Tokens += len(c.Tokens)
	w.offsets = append(w.offsets, int32(w.index.Tokens))
	w.prefixes = append(w.prefixes, int32(c.Prefix))
	w.patients = append(w.patients, patient)
	return w.words(c.Tokens)
}

// words appends integers.
func (w *shardWriter) words(words []int32) error {
	if littleEndian {
		_, err := w.buffer.Write(bytesOf(words))
		return err
	}
	return binary.Write(w.buffer, binary.LittleEndian, words)
}

// finish ends the file and returns its line in the index.
func (w *shardWriter) finish() (ShardIndex, error) {
	defer w.file.Close()
	footer := []int32{shardMagic, shardVersion, int32(w.index.Tokens), int32(w.index.Chunks)}
	for _, words := range [][]int32{w.offsets, w.prefixes, w.patients, footer} {
		if err := w.words(words); err != nil {
			return w.index, err
		}
	}
	if err := w.buffer.Flush(); err != nil {
		return w.index, err
	}
	w.index.SHA256 = hex.EncodeToString(w.sum.Sum(nil))
	return w.index, w.file.Close()
}

// readShard reads the file of an index line and appends its chunks to the split. Nothing in the file is believed.
func (s *Split) readShard(dir string, x *ShardIndex, vocab, context int) error {
	path := filepath.Join(dir, x.File)
	wrong := func(found, expected string, err error) error {
		return &fault.Input{File: path, Found: found, Expected: expected, Err: err}
	}
	words, sum, err := readWords(path, x.Tokens+(x.Chunks+1)+2*x.Chunks+footerWords)
	switch {
	case errors.Is(err, errSize):
		return wrong(err.Error(), fmt.Sprintf("%d tokens in %d chunks", x.Tokens, x.Chunks), err)
	case err != nil:
		return wrong("no file that can be read", "a shard", err)
	case sum != x.SHA256:
		return wrong("content that does not match its checksum", "the file that tokenize wrote", nil)
	}
	footer := words[len(words)-footerWords:]
	if footer[0] != shardMagic || footer[1] != shardVersion || int(footer[2]) != x.Tokens || int(footer[3]) != x.Chunks {
		return wrong("no shard of the size the index tells", "one", nil)
	}
	tokens, rest := words[:x.Tokens:x.Tokens], words[x.Tokens:]
	offsets, prefixes, patients := rest[:x.Chunks+1], rest[x.Chunks+1:2*x.Chunks+1], rest[2*x.Chunks+1:3*x.Chunks+1]
	for _, t := range tokens {
		if t < 0 || int(t) >= vocab {
			return wrong("a token that the vocabulary does not have", fmt.Sprintf("0 to %d", vocab-1), nil)
		}
	}
	if offsets[0] != 0 || int(offsets[x.Chunks]) != x.Tokens {
		return wrong("chunks that do not fill the shard", "all its tokens in chunks", nil)
	}
	for i := range x.Chunks {
		from, to, prefix := offsets[i], offsets[i+1], prefixes[i]
		switch {
		case to <= from || int(to) > x.Tokens || int(to-from) > context:
			return wrong(fmt.Sprintf("a chunk (%d) of an impossible length", i+1), fmt.Sprintf("1 to %d tokens", context), nil)
		case prefix < 1 || prefix >= to-from:
			return wrong(fmt.Sprintf("a chunk (%d) without targets", i+1), "at least one", nil)
		case patients[i] < 0 || i > 0 && patients[i] < patients[i-1]:
			return wrong(fmt.Sprintf("a chunk (%d) of a patient out of order", i+1), "patients in ascending order", nil)
		}
		s.chunks = append(s.chunks, token.Chunk{Tokens: tokens[from:to:to], Prefix: int(prefix)})
	}
	s.patients = append(s.patients, patients...)
	return nil
}

var errSize = errors.New("a file of another size")

// readWords reads a file of n integers and returns them with its SHA-256. A file of another size is errSize, before any
// memory is taken for it.
func readWords(path string, n int) (words []int32, sum string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, "", err
	}
	if info.Size() != int64(4*n) {
		return nil, "", errSize
	}
	words = make([]int32, n)
	raw := bytesOf(words)
	if _, err := io.ReadFull(file, raw); err != nil {
		return nil, "", err
	}
	digest := sha256.Sum256(raw)
	if !littleEndian {
		for i := range words {
			words[i] = int32(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	}
	return words, hex.EncodeToString(digest[:]), nil
}

// littleEndian tells that integers lie in memory as they do on disk.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// bytesOf views integers as the bytes they are made of.
func bytesOf(words []int32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 4*len(words))
}
