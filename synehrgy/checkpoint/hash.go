package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// HashFile returns the SHA-256 of the content of a file in lower-case hexadecimal, as manifests hold it, and the number of
// bytes hashed.
func HashFile(path string) (sum string, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("%s cannot be read: %w", path, reason(err))
	}
	defer file.Close()
	h := sha256.New()
	if size, err = io.Copy(h, file); err != nil {
		return "", size, fmt.Errorf("%s cannot be read: %w", path, reason(err))
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}
