package wamptest

// PayloadFault is payloadFault, for the fuzzer.
var PayloadFault = payloadFault
