namespace ni {}
