// Package emergency tries break-glass across real processes: who answers when others are
// away or killed, what ends it, and what an adversary with a whole hospital gets by it.
package emergency
