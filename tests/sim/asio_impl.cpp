// The compiled part of Asio alone: the simulator links no TLS and no HTTP.
#include <boost/asio/impl/src.hpp>
