module example.com/otherclient

go 1.26
