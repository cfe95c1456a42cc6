// Command outsidemain starts a chaincode: it reads the environment, but not the clock.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/pie-consortium/pie/chaincode/internal/contract"
)

type other struct {
	Clock func() time.Time
	Start time.Time
}

func main() { // want main:"reaches the clock"
	good := contract.Contract{Clock: time.Now}
	bad := other{
		Clock: time.Now,   // want `Now reaches the clock`
		Start: time.Now(), // want `Now reaches the clock`
	}
	fmt.Println(os.Getenv("CHAINCODE_ID"), good, bad)
	late := time.Now() // want `Now reaches the clock`
	good.Clock = func() time.Time { return late }
}
