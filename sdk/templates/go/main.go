package main

// entry.c is compiled with this.

// #cgo pkg-config: gearpump-sdk
import "C"

func main() {} // never called: this is a shared object
