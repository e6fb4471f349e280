//go:build !race

package codec_test

const racing = false
