// Package interop holds no code, only tests of the library against Crossbar
// and autobahn-python, behind the build tag interop. testdata/interop has the
// other side and says how to run them.
package interop
