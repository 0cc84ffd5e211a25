// The canonical codes of gRPC (grpc/doc/statuscodes.md) for ours. Only libs/rpc speaks them.
#pragma once

#include "libs/base/error.h"

namespace micropay {

uint32_t grpc_code(Code code);
// The nearest of ours; the exact one travels in the details of the error. 0 and what is unknown: kInternal.
Code code_of_grpc(uint32_t code);

}  // namespace micropay
