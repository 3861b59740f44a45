"""How good trained weights are on people they have never seen."""
