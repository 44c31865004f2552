// What a port's coroutine gives back: a value or an Error, on the caller's executor.
#pragma once

#include "core/error.hpp"

#include <boost/asio/awaitable.hpp>

namespace connector::ports {

template <class T>
using Async = boost::asio::awaitable<Result<T>>;

}  // namespace connector::ports
