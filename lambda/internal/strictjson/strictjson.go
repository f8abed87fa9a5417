// Package strictjson reads and writes JSON in which everything has exactly one meaning. Unlike [json.Unmarshal] it refuses
// duplicate keys and text that is not Unicode, instead of picking a key and replacing characters; names are
// case-sensitive. It is also several times as fast as package json, which matters: next to the signature of a token,
// reading event and token and writing the answer is most of the work of an authorizer.
//
// [Object] reads an object into a map. A [Reader] reads values one by one, for who knows what to expect. [Append] writes
// what Object reads.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

const (
	maxDepth  = 32 // levels of nesting
	maxNumber = 40 // bytes of a number
)

var (
	errSyntax = errors.New("is not JSON")
	errDepth  = fmt.Errorf("is nested deeper than %d levels", maxDepth)
)

var errUTF8 = errors.New("is not UTF-8")

// Object decodes a JSON object. Numbers become [json.Number], so that integers of any size are exact. The error is the end
// of a sentence about data and repeats nothing of it. The object shares the memory of data, which must not change any more.
func Object(data []byte) (map[string]any, error) {
	p, err := newParser(unsafe.String(unsafe.SliceData(data), len(data)))
	if err != nil {
		return nil, err
	}
	v, err := p.value(1)
	if err != nil {
		return nil, err
	}
	if p.peek() != end {
		return nil, errSyntax
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("is not a JSON object")
	}
	return object, nil
}

// parser parses text that is known to be UTF-8.
type parser struct {
	s string
	i int // what comes next
}

// newParser returns a parser of text. What it reads shares the memory of text, which is what makes it fast.
func newParser(text string) (parser, error) {
	if !utf8.ValidString(text) {
		return parser{}, errUTF8
	}
	return parser{s: text}, nil
}

// end is what peek returns at the end of the text. JSON has no such character outside strings.
const end = 0

// peek moves past white space and returns the character that comes next.
func (p *parser) peek() byte {
	for ; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; c {
		case ' ', '\t', '\r', '\n':
		case end:
			return 0xff // which is none of those that mean something either
		default:
			return c
		}
	}
	return end
}

func (p *parser) value(depth int) (any, error) {
	switch p.peek() {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		return p.string()
	case 't':
		return true, p.literal("true")
	case 'f':
		return false, p.literal("false")
	case 'n':
		return nil, p.literal("null")
	default:
		return p.number()
	}
}

func (p *parser) literal(word string) error {
	if !strings.HasPrefix(p.s[p.i:], word) {
		return errSyntax
	}
	p.i += len(word)
	return nil
}

func (p *parser) object(depth int) (map[string]any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	size := 0
	if depth == 1 {
		size = len(p.s) / 32 // about as many members as a token has
	}
	object := make(map[string]any, size)
	for more := p.opens('}'); more; {
		p.peek()
		at := p.i
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		value, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		size := len(object)
		if object[name] = value; len(object) == size {
			return nil, fmt.Errorf("has the same key twice, at byte %d", at)
		}
		if more, err = p.goesOn('}'); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func (p *parser) array(depth int) ([]any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	var few [8]any // saves what growing costs
	array := few[:0]
	for more := p.opens(']'); more; {
		element, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, element)
		if more, err = p.goesOn(']'); err != nil {
			return nil, err
		}
	}
	return append([]any{}, array...), nil
}

// opens moves past an opening bracket. It reports whether there is an element, and moves past the closing one if not.
func (p *parser) opens(closing byte) bool {
	p.i++
	if p.peek() == closing {
		p.i++
		return false
	}
	return true
}

// goesOn moves past what follows an element: a comma, which it reports, or the closing bracket.
func (p *parser) goesOn(closing byte) (bool, error) {
	c := p.peek()
	if c != ',' && c != closing {
		return false, errSyntax
	}
	p.i++
	return c == ',', nil
}

// name reads the name of a member, and moves past the colon.
func (p *parser) name() (string, error) {
	if p.peek() != '"' {
		return "", errSyntax
	}
	name, err := p.string()
	if err != nil {
		return "", err
	}
	if p.peek() != ':' {
		return "", errSyntax
	}
	p.i++
	return name, nil
}

func (p *parser) number() (json.Number, error) {
	start := p.i
	p.skip('-')
	if !p.skip('0') && !p.digits() {
		return "", errSyntax
	}
	float := p.skip('.')
	if float && !p.digits() {
		return "", errSyntax
	}
	if p.skip('e') || p.skip('E') {
		float = true
		if !p.skip('-') {
			p.skip('+')
		}
		if !p.digits() {
			return "", errSyntax
		}
	}
	number := p.s[start:p.i]
	tooLarge := len(number) > maxNumber
	if float && !tooLarge { // an integer that short is within float64
		_, err := strconv.ParseFloat(number, 64)
		tooLarge = err != nil
	}
	if tooLarge {
		return "", fmt.Errorf("has a number too large or too long, at byte %d", start)
	}
	return json.Number(number), nil
}

// skip moves past c, and reports whether it came next.
func (p *parser) skip(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// digits moves past digits, and reports whether there was one.
func (p *parser) digits() bool {
	start := p.i
	for p.i < len(p.s) && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i > start
}

// isPlain tells the characters that stand for themselves in a string.
var isPlain = func() (plain [256]bool) {
	for c := range plain {
		plain[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return plain
}()

// plain returns how many bytes at the beginning of a text stand for themselves in a string. It looks at sixteen at a time.
func plain(s string) int {
	rest := s
	for ; len(rest) >= 16; rest = rest[16:] {
		first, second := special(eight(rest)), special(eight(rest[8:]))
		switch at := len(s) - len(rest); {
		case first != 0:
			return at + bits.TrailingZeros64(first)/8
		case second != 0:
			return at + 8 + bits.TrailingZeros64(second)/8
		}
	}
	i := len(s) - len(rest)
	for i < len(s) && isPlain[s[i]] {
		i++
	}
	return i
}

// eight are the next eight bytes, the first one lowest. The compiler makes one load of it.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// special sets the top bit of each of eight bytes that does not stand for itself. Above the lowest one it may be set for
// others too.
func special(x uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	// To subtract a number from each byte sets the top bit where the byte was below it, of bytes that had none. Flipping one
	// bit makes the quote the first character after the control characters.
	low, backslash := x^(ones*('"'^' ')), x^(ones*'\\')
	return ((low-ones*(' '+1))&^low | (backslash-ones)&^backslash) & tops
}

func (p *parser) string() (string, error) {
	p.i++ // the opening quote
	start := p.i
	p.i += plain(p.s[p.i:])
	if p.skip('"') {
		return p.s[start : p.i-1], nil
	}
	return p.escaped(start)
}

// escaped is the rest of string for a string that began at start and has its first escape here.
func (p *parser) escaped(start int) (string, error) {
	var text strings.Builder
	text.WriteString(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch {
		case isPlain[c]:
			text.WriteByte(c)
		case c == '"':
			return text.String(), nil
		case c != '\\' || p.i == len(p.s):
			return "", errSyntax
		default:
			c = p.s[p.i]
			p.i++
			if c == 'u' {
				r, err := p.character()
				if err != nil {
					return "", err
				}
				text.WriteRune(r)
			} else if c = unescape[c]; c != 0 {
				text.WriteByte(c)
			} else {
				return "", errSyntax
			}
		}
	}
	return "", errSyntax
}

// unescape is what a letter after a backslash stands for.
var unescape = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// character reads what follows \u: one half of a character must be followed by the other.
func (p *parser) character() (rune, error) {
	r, err := p.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	second := rune(-1)
	if strings.HasPrefix(p.s[p.i:], `\u`) {
		p.i += len(`\u`)
		if second, err = p.hex(); err != nil {
			return 0, err
		}
	}
	if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
		return 0, fmt.Errorf("has half a character, at byte %d", p.i-1)
	}
	return r, nil
}

func (p *parser) hex() (rune, error) {
	if p.i+4 > len(p.s) {
		return 0, errSyntax
	}
	n, err := strconv.ParseUint(p.s[p.i:p.i+4], 16, 32)
	if err != nil {
		return 0, errSyntax
	}
	p.i += 4
	return rune(n), nil
}
