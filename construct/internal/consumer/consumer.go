// Package consumer tests what somebody gets who did not clone Claimsmith: a module of their own that holds what the README
// tells them, with Claimsmith from a module proxy. The tests synthesize it, hold its template in a snapshot, and, when
// there is a local AWS, deploy, change and destroy it.
package consumer
