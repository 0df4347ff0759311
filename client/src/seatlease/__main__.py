from seatlease.cli import main

main()
