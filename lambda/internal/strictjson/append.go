package strictjson

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Append appends the JSON of a value to dst. Members of maps are sorted by name. It is made for what [Object] returns;
// values of other types are left to [json.Marshal].
func Append(dst []byte, value any) ([]byte, error) { return appendValue(dst, value, false) }

// AppendText appends a JSON string to dst. What is not Unicode is replaced.
func AppendText(dst []byte, text string) []byte { return appendText(dst, text, false) }

// AppendQuoted is [Append] for a place within a JSON string, whose own quotes are the caller's to write.
func AppendQuoted(dst []byte, value any) ([]byte, error) { return appendValue(dst, value, true) }

// AppendQuotedText is [AppendText] for such a place.
func AppendQuotedText(dst []byte, text string) []byte { return appendText(dst, text, true) }

func appendValue(dst []byte, value any, quoted bool) ([]byte, error) {
	switch v := value.(type) {
	case string:
		return appendText(dst, v, quoted), nil
	case json.Number:
		return append(dst, v...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case nil:
		return append(dst, "null"...), nil
	case map[string]any:
		dst = append(dst, '{')
		var few [8]string // saves an allocation
		names := few[:0]
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			dst = append(appendText(dst, name, quoted), ':')
			if dst, err = appendValue(dst, v[name], quoted); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	case []any:
		dst = append(dst, '[')
		for i, element := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendValue(dst, element, quoted); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case []string:
		dst = append(dst, '[')
		for i, text := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendText(dst, text, quoted)
		}
		return append(dst, ']'), nil
	default:
		encoded, err := json.Marshal(v)
		if err != nil || !quoted {
			return append(dst, encoded...), err
		}
		return appendEscaped(dst, string(encoded), false), nil
	}
}

func appendText(dst []byte, text string, quoted bool) []byte {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	quote := `"`
	if quoted {
		quote = `\"`
	}
	return append(appendEscaped(append(dst, quote...), text, quoted), quote...)
}

// appendEscaped appends a text as it is between the quotes of a JSON string, which itself is within one if quoted.
func appendEscaped(dst []byte, text string, quoted bool) []byte {
	for {
		n := plain(text)
		dst = append(dst, text[:n]...)
		if n == len(text) {
			return dst
		}
		c := text[n]
		text = text[n+1:]
		dst = append(dst, '\\')
		if quoted {
			dst = append(dst, '\\')
		}
		switch {
		case c < ' ':
			dst = fmt.Appendf(dst, "u%04x", c)
		case quoted:
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
}
