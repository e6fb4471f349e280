#!/bin/bash -eu
exec "$SRC/connectanum-go/docs/oss-fuzz/targets.sh"
