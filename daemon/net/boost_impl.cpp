// The compiled part of the Boost libraries that are otherwise headers: one translation unit, so that the others stay
// quick and the program needs no Boost library at run time.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
#include <boost/json/src.hpp>
#include <boost/url/src.hpp>
