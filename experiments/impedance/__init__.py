"""What an untrained network learns first: ``python -m experiments.impedance --images FOLDER``.

Figure 2 of D. Ulyanov, A. Vedaldi, V. Lempitsky, Deep image prior, IJCV 128, 2020. What came out stands in README.md.
"""
