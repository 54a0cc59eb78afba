// Reads a static tree of Headwater with the Go project's own transparency log packages
// (golang.org/x/mod/sumdb/note and tlog): nothing of Headwater's code takes part.
//
// Usage: interop PLACE VKEY OLD
//
// PLACE is the folder or URL of one log, VKEY the verifier key of its writer, OLD a file with an
// earlier checkpoint of it. Checked are both signatures, every tile under the newest root, every
// entry's place in its tile, inclusion proofs, and that the newer tree goes on from the older one.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) != 4 {
		fail("usage: interop PLACE VKEY OLD")
	}
	place, vkey, old := strings.TrimSuffix(os.Args[1], "/"), os.Args[2], os.Args[3]
	verifier, err := note.NewVerifier(vkey)
	check(err)
	newer := open(verifier, must(read(place, "checkpoint")))
	older := open(verifier, must(os.ReadFile(old)))
	say("note.Open: checkpoint of %d entries signed by %s", newer.N, verifier.Name())

	tiles := &reader{place: place, saved: map[tlog.Tile]bool{}}
	hashes := tlog.TileHashReader(newer, tiles)
	entries := checkEntries(place, newer, hashes)
	say("tlog.TileHashReader: %d tiles verified under the root", len(tiles.saved))
	say("tlog.RecordHash: %d entries are the leaves of their tiles", entries)
	checkInclusion(newer, hashes)
	proof, err := tlog.ProveTree(newer.N, older.N, hashes)
	check(err)
	check(tlog.CheckTree(proof, newer.N, newer.Hash, older.N, older.Hash))
	say("tlog.CheckTree: %d entries go on from %d, proof of %d hashes", newer.N, older.N, len(proof))
	if tlog.CheckTree(proof, newer.N, older.Hash, older.N, older.Hash) == nil {
		fail("a consistency proof with a wrong root was accepted")
	}
}

// open verifies a signed note and reads the three lines of a C2SP checkpoint.
func open(verifier note.Verifier, text []byte) tlog.Tree {
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifier.Name() {
		fail("not the three lines of a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	if copy(tree.Hash[:], root) != tlog.HashSize {
		fail("a root of %d bytes", len(root))
	}
	return tree
}

// checkEntries compares every entry of every bundle with its leaf hash in the verified tiles.
func checkEntries(place string, tree tlog.Tree, hashes tlog.HashReader) int64 {
	var done int64
	for done < tree.N {
		width := min(tree.N-done, 1<<height)
		tile := tlog.Tile{H: height, L: -1, N: done >> height, W: int(width)}
		bundle := must(read(place, c2spPath(tile)))
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, done+int64(i))
		}
		leaves, err := hashes.ReadHashes(indexes)
		check(err)
		for i := range leaves {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				fail("bundle %d ends early", tile.N)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:end]) != leaves[i] {
				fail("entry %d is not the leaf of its tile", done+int64(i))
			}
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			fail("bytes follow the last entry of bundle %d", tile.N)
		}
		done += width
	}
	return done
}

func checkInclusion(tree tlog.Tree, hashes tlog.HashReader) {
	proved := 0
	for index := int64(0); index < tree.N; index += 1 + tree.N/50 {
		proof, err := tlog.ProveRecord(tree.N, index, hashes)
		check(err)
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		check(err)
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf[0]))
		leaf[0][0] ^= 1
		if tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf[0]) == nil {
			fail("an altered leaf was accepted at %d", index)
		}
		proved++
	}
	say("tlog.CheckRecord: %d inclusion proofs, and none for an altered leaf", proved)
}

// reader is a tlog.TileReader over the layout of C2SP tlog-tiles.
type reader struct {
	place string
	// saved are the tiles that the package has verified.
	saved map[tlog.Tile]bool
}

func (r *reader) Height() int { return height }

func (r *reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		bytes, err := read(r.place, c2spPath(tile))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (r *reader) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for _, tile := range tiles {
		r.saved[tile] = true
	}
}

// c2spPath is the path without the height, and with "entries" in place of "data".
func c2spPath(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

func read(place, path string) ([]byte, error) {
	if !strings.HasPrefix(place, "http://") {
		return os.ReadFile(place + "/" + path)
	}
	response, err := http.Get(place + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	var body bytes.Buffer
	_, err = io.Copy(&body, response.Body)
	return body.Bytes(), err
}

func must(data []byte, err error) []byte {
	check(err)
	return data
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func say(format string, values ...any) { fmt.Printf(format+"\n", values...) }

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
