package construct

import (
	"errors"
	"io/fs"
	"testing"
)

func TestUnreadableFileKeepsItsCause(t *testing.T) {
	t.Parallel()
	if _, _, err := PolicyFile("no/such.yaml").read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want an error that is fs.ErrNotExist", err)
	}
	_, _, err := PolicyFile("").read()
	if want := `policy file "": not a path; name the file, as in construct.PolicyFile("claims.yaml")`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
