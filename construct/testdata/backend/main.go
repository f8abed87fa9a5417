// Command backend is a user's function, as small as can be.
package main

func main() {}
