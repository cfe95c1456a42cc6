package main

import (
	"context"

	secp256k1 "gitlab.com/yawning/secp256k1-voi"

	"github.com/pie-consortium/pie/umbral"
)

// reencryptions measures a proxy's arithmetic on one core.
func (s *stage) reencryptions(ctx context.Context, p plan) ([]result, error) {
	capsule, kfrag, err := fragment()
	if err != nil {
		return nil, err
	}
	scalar := secp256k1.NewScalar().One()
	scalar.Subtract(scalar, secp256k1.NewScalarFromUint64(3)) // as long as any
	point := secp256k1.NewIdentityPoint().ScalarBaseMult(scalar)
	r := result{job: "re-encryptions a second and core", floor: "five scalar multiplications", aim: 0.85, rate: true, paper: "–"}
	pairs, err := turns(ctx, p.pairs,
		func(context.Context, int) error {
			out := secp256k1.NewIdentityPoint()
			for range 5 * p.batch {
				out.ScalarMult(scalar, point)
			}
			return nil
		},
		func(context.Context, int) error {
			for range p.batch {
				if _, err := umbral.Reencrypt(nil, capsule, kfrag); err != nil {
					return err
				}
			}
			return nil
		})
	for _, t := range pairs {
		r.pairs = append(r.pairs, pair{floor: float64(p.batch) / t.floor, job: float64(p.batch) / t.job})
	}
	return []result{r}, err
}

// fragment is a capsule and a fragment for it, of 2 of 3.
func fragment() (*umbral.Capsule, *umbral.VerifiedKeyFrag, error) {
	var keys [3]*umbral.SecretKey
	for i := range keys {
		var err error
		if keys[i], err = umbral.GenerateSecretKey(nil); err != nil {
			return nil, nil, err
		}
	}
	delegating, receiving, signer := keys[0], keys[1], umbral.NewSigner(keys[2])
	capsule, _, err := umbral.Encrypt(nil, delegating.PublicKey(), []byte("an EMR"))
	if err != nil {
		return nil, nil, err
	}
	kfrags, err := umbral.GenerateKeyFrags(nil, umbral.KeyFragParams{
		DelegatingSK: delegating, ReceivingPK: receiving.PublicKey(), Signer: signer, Threshold: 2, Shares: 3,
		SignDelegatingKey: true, SignReceivingKey: true,
	})
	if err != nil {
		return nil, nil, err
	}
	return capsule, kfrags[0], nil
}
