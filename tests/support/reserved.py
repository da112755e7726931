"""Words that the languages of generated clients keep for themselves."""

import builtins
import keyword

_KEYWORDS = """
abstract actor alignas any arguments as assert associatedtype associativity async auto await base become bool boolean
box break byte case catch chan char checked class companion const constructor continue convenience crate crossinline
data debugger decimal declare default defer deferred deinit del delegate delete didSet do double dyn dynamic elif else
enum eval event except expect explicit export extends extension extern external fallthrough false field file
fileprivate final finally fixed float fn for foreach from fun func function gen get global go goto guard if impl
implements implicit import in indirect infix init inline inner inout instanceof int interface internal into is
isolated join lambda late lateinit lazy let lock long loop macro map match mod module move mut mutable mutating
namespace native never new nil noinline none nonisolated nonlocal nonmutating not null number object of open operator
optional or out override package params pass postfix precedence precedencegroup prefix priv private protected protocol
pub public raise range readonly record ref reified repeat required requires rethrows return right sbyte sealed select
self set short sizeof some stackalloc static strictfp string struct subscript super suspend switch symbol synchronized
tailrec test this throw throws trait transient transitive true try type typealias typeof uint ulong unchecked
undefined union unique unknown unowned unsafe unsized use ushort using val value var vararg virtual void volatile weak
when where while willSet with yield
"""
# What a generated client calls itself, and what it has beside the operations.
_OF_CLIENTS = "api batch client close configuration docs headers live middleware options request response send url"

# Types that are in scope everywhere in one of the languages, or in every client.
_TYPES = """
Any Array Boolean Byte Character Class Client Configuration Date Decimal Double Enum Error Exception Float Function
Future Instant Int Integer Iterator Kind List Long Map None Nothing Null Number Object Option Optional Promise Queue
Record Request Response Result Self Set Some Status String Symbol Task Thread Type Unit Vec Void
"""

OPERATIONS = {word.lower() for word in (*_KEYWORDS.split(), *_OF_CLIENTS.split(), *keyword.kwlist, *keyword.softkwlist)}
TYPES = {word.lower() for word in (*_TYPES.split(), *_KEYWORDS.split(), *dir(builtins), *keyword.kwlist)}
