package token

import "net/http"

// SetTransport replaces the network of a verifier that fetches its keys.
func (v *Verifier) SetTransport(transport http.RoundTripper) {
	for _, set := range v.keys.(*remoteKeys).sets {
		set.transport = transport
	}
}

// SeenBytes returns how many bytes of tokens a verifier remembers.
func (v *Verifier) SeenBytes() (n int) { return len(v.seen.young.texts) + len(v.seen.old.texts) }
