// In development the CRM's own server answers /call-token; change the address to yours.
export default { server: { proxy: { '/call-token': 'http://127.0.0.1:8000' } } };
