// Package chaos puts the whole system under faults while people use it, and holds what
// they were told against what every hospital shows afterwards: what was acknowledged is
// readable, exactly once, with identical bytes; what was refused changed nothing.
//
// One seed decides the faults, their order and the load; a failure prints it. The tests
// run in network namespaces of their own, one an organisation, which needs root.
package chaos
