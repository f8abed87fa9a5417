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
func Append(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case string:
		return AppendText(dst, v), nil
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
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			dst = append(AppendText(dst, name), ':')
			if dst, err = Append(dst, v[name]); err != nil {
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
			if dst, err = Append(dst, element); err != nil {
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
			dst = AppendText(dst, text)
		}
		return append(dst, ']'), nil
	default:
		encoded, err := json.Marshal(v)
		return append(dst, encoded...), err
	}
}

// AppendText appends a JSON string to dst. What is not Unicode is replaced.
func AppendText(dst []byte, text string) []byte {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	dst = append(dst, '"')
	for {
		n := plain(text)
		dst = append(dst, text[:n]...)
		if n == len(text) {
			return append(dst, '"')
		}
		if c := text[n]; c >= ' ' {
			dst = append(dst, '\\', c)
		} else {
			dst = fmt.Appendf(dst, `\u%04x`, c)
		}
		text = text[n+1:]
	}
}
