package strictjson

import (
	"encoding/json"
	"slices"
	"strconv"
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
	start, from := len(dst), 0
	dst = append(dst, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(append(dst, text[from:i]...), '\\')
			from = i
		case !plain[c] || c >= 0x7f: // seldom
			encoded, err := json.Marshal(text)
			if err != nil {
				panic(err) // no string fails
			}
			return append(dst[:start], encoded...)
		}
	}
	dst = append(dst, text[from:]...)
	return append(dst, '"')
}
