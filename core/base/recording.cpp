// SPDX-License-Identifier: MIT
#include "core/base/recording.h"

#include "core/base/backend.h"
#include "core/base/error.h"

namespace tessera {

Stream::Stream(Device device) {
  if (device == Device::Cuda) handle_ = cuda_backend()->create_stream();
}

Stream::~Stream() {
  if (handle_) cuda_backend()->destroy_stream(handle_);
}

Recording Recording::of(Context& context, const std::function<void()>& work, std::string& failure) {
  require(context.device == Device::Cuda && context.stream && !context.profile, "recording",
          "only work on a stream of the GPU, without a profile, can be recorded");
  const CudaBackend& cuda = *cuda_backend();
  cuda.begin_recording(context.stream);
  try {
    work();
  } catch (...) {
    std::string ignored;  // the error that is on its way says more
    if (void* half = cuda.end_recording(context.stream, ignored)) cuda.destroy_recording(half);
    throw;
  }
  return Recording(cuda.end_recording(context.stream, failure));
}

Recording::~Recording() {
  if (handle_) cuda_backend()->destroy_recording(handle_);
}

void Recording::run(Context& context) const {
  cuda_backend()->run_recording(handle_, context.stream);
}

}  // namespace tessera
