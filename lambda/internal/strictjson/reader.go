package strictjson

import (
	"fmt"
	"strings"
	"unsafe"
)

// Reader reads JSON value by value. Each method reads the value that comes next. What is null counts as absent: it leaves
// its destination alone. Errors are like those of [Object].
//
// Unlike Object it passes the members of an object on as they come, so a name that comes twice is the caller's to see.
// Texts that it reads are copies; the name of a member is not, and must not be kept.
type Reader struct {
	p     parser
	depth int
}

// NewReader returns a reader of data, which must not change before everything is read.
func NewReader(data []byte) (*Reader, error) {
	p, err := newParser(unsafe.String(unsafe.SliceData(data), len(data)))
	return &Reader{p: p, depth: 1}, err
}

// Object reads an object: it calls member for each of its members, which must read the value.
func (r *Reader) Object(member func(name string) error) error {
	if null, err := r.expect('{'); err != nil || null {
		return err
	}
	r.depth++
	defer func() { r.depth-- }()
	return r.p.members(r.depth-1, func(name string, _ int) error { return member(name) })
}

// Texts reads an array of strings, and appends them to dst.
func (r *Reader) Texts(dst *[]string) error {
	if null, err := r.expect('['); err != nil || null {
		return err
	}
	return r.p.elements(r.depth, func() error {
		var text string
		err := r.Text(&text)
		*dst = append(*dst, text)
		return err
	})
}

// Text reads a string.
func (r *Reader) Text(dst *string) error {
	null, err := r.expect('"')
	if err != nil || null {
		return err
	}
	text, err := r.p.string()
	*dst = strings.Clone(text)
	return err
}

// Skip reads any value. It does not look at the characters of a string.
func (r *Reader) Skip() error {
	switch r.p.peek() {
	case '"':
		return r.p.skipString()
	case '{':
		return r.Object(func(string) error { return r.Skip() })
	case '[':
		return r.p.elements(r.depth, r.Skip)
	default:
		_, err := r.p.value(r.depth)
		return err
	}
}

// Postpone reads any value, and returns a reader for that value, in case that it is needed later.
func (r *Reader) Postpone() (*Reader, error) {
	later := *r
	return &later, r.Skip()
}

// End expects the end of the data.
func (r *Reader) End() error {
	if r.p.peek() != end {
		return errSyntax
	}
	return nil
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

// expect tells whether null comes next, and passes it, or an error unless a value does that begins with first.
func (r *Reader) expect(first byte) (null bool, err error) {
	switch r.p.peek() {
	case first:
		return false, nil
	case 'n':
		return true, r.p.literal("null")
	default:
		return false, fmt.Errorf("has a value of another type than expected, at byte %d", r.p.i)
	}
}
