package policytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// diff lists where two JSON values differ, one line for each place. A field that is wanted to be null is wanted to be absent.
func diff(path string, got, want any) []string {
	g, gotObject := got.(map[string]any)
	w, wantObject := want.(map[string]any)
	if gotObject && wantObject {
		names := maps.Clone(g)
		maps.Copy(names, w)
		var out []string
		for _, name := range slices.Sorted(maps.Keys(names)) {
			path := child(path, name)
			gv, inGot := g[name]
			wv := w[name]
			switch {
			case !inGot && wv == nil:
			case !inGot:
				out = append(out, fmt.Sprintf("%s: got none, want %s", path, show(wv)))
			case wv == nil:
				out = append(out, fmt.Sprintf("%s: got %s, want none", path, show(gv)))
			default:
				out = append(out, diff(path, gv, wv)...)
			}
		}
		return out
	}
	gl, gotList := got.([]any)
	wl, wantList := want.([]any)
	if gotList && wantList && len(gl) == len(wl) {
		var out []string
		for i := range gl {
			out = append(out, diff(path+"["+strconv.Itoa(i)+"]", gl[i], wl[i])...)
		}
		return out
	}
	if scalarsEqual(got, want) {
		return nil
	}
	return []string{fmt.Sprintf("%s: got %s, want %s", path, show(got), show(want))}
}

// scalarsEqual compares numbers by value, digit by digit: 2 and 2.0 are equal, "2" is neither.
func scalarsEqual(a, b any) bool {
	an, aNumber := a.(json.Number)
	bn, bNumber := b.(json.Number)
	if aNumber && bNumber {
		x, xOK := new(big.Rat).SetString(an.String())
		y, yOK := new(big.Rat).SetString(bn.String())
		return xOK && yOK && x.Cmp(y) == 0
	}
	return isScalar(a) && isScalar(b) && a == b
}

// diffSet compares lists whose order means nothing.
func diffSet(path string, got, want []string) []string {
	missing := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(got, s) })
	surplus := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return slices.Contains(want, s) })
	var out []string
	if len(missing) > 0 {
		out = append(out, path+": missing "+quoted(missing))
	}
	if len(surplus) > 0 {
		out = append(out, path+": unexpected "+quoted(surplus))
	}
	return out
}

func quoted(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strconv.Quote(w)
	}
	return strings.Join(out, ", ")
}

// show is a value as compact JSON.
func show(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprintf("a value that is no JSON (%T)", v)
	}
	return strings.TrimSpace(b.String())
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// child is the path of a key below a path, as package policy writes it.
func child(path, key string) string {
	if identifier.MatchString(key) {
		return path + "." + key
	}
	return path + "[" + strconv.Quote(key) + "]"
}
