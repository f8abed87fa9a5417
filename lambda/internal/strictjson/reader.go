package strictjson

import (
	"fmt"
	"strings"
	"unsafe"
)

// Reader reads JSON value by value. Each method reads the value that comes next:
//
//	for name, ok := r.Object(); ok; name, ok = r.Member() {
//		switch name {
//		case "version":
//			r.Text(&version)
//		case "cookies":
//			for ok := r.Array(); ok; ok = r.Element() {
//				…
//			}
//		default:
//			r.Skip()
//		}
//	}
//	err := r.End()
//
// What is null counts as absent: it leaves its destination alone, or has no members. Once something is wrong nothing more is
// read; Err and End tell. Errors are like those of [Object].
//
// Unlike Object it passes the members of an object on as they come, so a name that comes twice is the caller's to see. Names
// and texts share the memory of the data: what is kept for longer has to be copied. The zero Reader reads null.
type Reader struct {
	p     parser
	depth int // of the value that comes next, from 1
	err   error
}

// NewReader returns a reader of data, which must not change while what was read is in use.
func NewReader(data []byte) Reader {
	p, err := newParser(unsafe.String(unsafe.SliceData(data), len(data)))
	return Reader{p: p, depth: 1, err: err}
}

// Object begins an object. It returns the name of its first member, whose value has to be read next, if it has one.
func (r *Reader) Object() (name string, ok bool) { return r.member(r.begins('{') && r.opens('}')) }

// Member goes on with an object, like Object. The value of the member before has been read.
func (r *Reader) Member() (name string, ok bool) { return r.member(r.goesOn('}')) }

func (r *Reader) member(more bool) (name string, ok bool) {
	if !more {
		return "", false
	}
	name, r.err = r.p.name()
	return name, r.err == nil
}

// Array begins an array. It tells whether there is an element, which has to be read next.
func (r *Reader) Array() bool { return r.begins('[') && r.opens(']') }

// Element goes on with an array, like Array.
func (r *Reader) Element() bool { return r.goesOn(']') }

func (r *Reader) opens(closing byte) bool {
	if r.depth > maxDepth {
		r.err = errDepth
		return false
	}
	more := r.p.opens(closing)
	if more {
		r.depth++
	}
	return more
}

func (r *Reader) goesOn(closing byte) (more bool) {
	if r.err != nil {
		return false
	}
	if more, r.err = r.p.goesOn(closing); !more {
		r.depth--
	}
	return more
}

// Text reads a string.
func (r *Reader) Text(dst *string) {
	if !r.begins('"') {
		return
	}
	*dst, r.err = r.p.string()
}

// Skip reads any value. It does not look at the characters of a string.
func (r *Reader) Skip() {
	if r.err != nil {
		return
	}
	switch r.p.peek() {
	case '"':
		r.err = r.p.skipString()
	case '{':
		for _, ok := r.Object(); ok; _, ok = r.Member() {
			r.Skip()
		}
	case '[':
		for ok := r.Array(); ok; ok = r.Element() {
			r.Skip()
		}
	case 't':
		r.err = r.p.literal("true")
	case 'f':
		r.err = r.p.literal("false")
	case 'n':
		r.err = r.p.literal("null")
	default:
		_, r.err = r.p.number()
	}
}

// Postpone skips any value, and returns a reader for that value, in case that it is needed later.
func (r *Reader) Postpone() Reader {
	later := *r
	r.Skip()
	return later
}

// Err is what is wrong with what was read.
func (r *Reader) Err() error { return r.err }

// End expects the end of the data. It returns what is wrong with the data.
func (r *Reader) End() error {
	if r.err == nil && r.p.peek() != end {
		r.err = errSyntax
	}
	return r.err
}

// skipString moves past a string, to the first quote that has no backslash before it, or one that itself has one.
func (p *parser) skipString() error {
	p.i++
	for {
		quote := strings.IndexByte(p.s[p.i:], '"')
		if quote < 0 {
			return errSyntax
		}
		text := p.s[p.i : p.i+quote]
		p.i += quote + 1
		if backslashes := len(text) - len(strings.TrimRight(text, `\`)); backslashes%2 == 0 {
			return nil
		}
	}
}

// begins tells whether a value comes next that begins with first. It passes null; any other value is an error.
func (r *Reader) begins(first byte) bool {
	if r.err != nil || r.depth == 0 {
		return false
	}
	switch r.p.peek() {
	case first:
		return true
	case 'n':
		r.err = r.p.literal("null")
	default:
		r.err = fmt.Errorf("has a value of another type than expected, at byte %d", r.p.i)
	}
	return false
}
