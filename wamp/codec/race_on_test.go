//go:build race

package codec_test

// racing: the race detector makes everything many times slower.
const racing = true
