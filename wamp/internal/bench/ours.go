package main

// allSides are the clients that are compared.
func allSides(*options) []side { return []side{floorSide()} }
